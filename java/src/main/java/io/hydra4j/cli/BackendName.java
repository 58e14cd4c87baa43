package io.hydra4j.cli;

import io.hydra4j.runtime.BackendKind;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The names that backends have on the command line. */
final class BackendName implements ITypeConverter<BackendKind> {
    static String of(BackendKind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public BackendKind convert(String name) {
        return Arrays.stream(BackendKind.values())
                .filter(kind -> of(kind).equals(name))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("must be one of "
                        + Arrays.stream(BackendKind.values())
                                .map(BackendName::of)
                                .collect(Collectors.joining(", "))));
    }
}
