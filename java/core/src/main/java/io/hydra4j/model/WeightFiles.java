package io.hydra4j.model;

import io.hydra4j.FormatException;
import io.hydra4j.format.Tensor;
import io.hydra4j.runtime.MappedFile;
import io.hydra4j.runtime.NativeException;
import io.hydra4j.runtime.Resources;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * The files that tensors lie in, each mapped when it is first asked for, until this is closed. A file may have changed
 * since its header was read: what does not lie in it any more is refused. Not thread-safe.
 */
public final class WeightFiles implements AutoCloseable {
    private final Map<Path, MappedFile> files = new HashMap<>();
    private final Resources mapped = new Resources();

    /**
     * @return the file of a tensor; all of the tensor lies in it
     * @throws FormatException.Unreadable if the file cannot be mapped any more
     * @throws FormatException.Truncated if it has become shorter
     */
    public MappedFile of(Tensor tensor) {
        MappedFile file = files.computeIfAbsent(tensor.file(), this::map);
        if (tensor.bytes() > file.size() - tensor.offset()) {
            throw new FormatException.Truncated(
                    tensor.file(),
                    tensor.name(),
                    file.size() + " bytes, fewer than when its header was read",
                    "at least " + (tensor.offset() + tensor.bytes()) + " bytes");
        }
        return file;
    }

    private MappedFile map(Path path) {
        try {
            return mapped.own(MappedFile.open(path));
        } catch (NativeException e) {
            throw new FormatException.Unreadable(path, "file", e.getMessage(), "a file that can be mapped", e);
        }
    }

    @Override
    public void close() {
        files.clear();
        mapped.close();
    }
}
