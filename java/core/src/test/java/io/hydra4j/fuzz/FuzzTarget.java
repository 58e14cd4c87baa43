package io.hydra4j.fuzz;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/**
 * A kind of file that this library reads. A case is what {@link #write} makes of a seed, always the same; reading it may
 * succeed, or fail with one of this library's exceptions, soon and without much memory.
 */
interface FuzzTarget {
    List<FuzzTarget> ALL = List.of(
            new GgufTarget(),
            new FolderTarget(),
            new TokenizerJsonTarget(),
            new TokenizerTablesTarget(),
            new HeadsFolderTarget(),
            new TorchHeadsTarget(),
            new CompactHeadsTarget(),
            new TreeTarget(),
            new TemplateTarget(),
            new GenerationTarget(),
            new CalibrationTarget());

    /** The name on the command line and in the corpus. */
    String name();

    /** Makes a damaged file, or several, of a good one. */
    void write(Random random, Path folder) throws IOException;

    /**
     * Reads the files and uses them as a program would.
     *
     * @throws io.hydra4j.HydraException if they are refused
     * @throws IllegalArgumentException if what the target itself asks for is refused, never for what a file says
     */
    void read(Path folder) throws IOException;

    /** @param name that of one of {@link #ALL}, or of a class with a constructor without parameters */
    static FuzzTarget of(String name) {
        if (name.indexOf('.') > 0) {
            try {
                return (FuzzTarget) Class.forName(name).getDeclaredConstructor().newInstance();
            } catch (ReflectiveOperationException e) {
                throw new IllegalArgumentException(name, e);
            }
        }
        return ALL.stream()
                .filter(target -> target.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(name + ": expected one of "
                        + ALL.stream().map(FuzzTarget::name).toList()));
    }
}
