package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;

/**
 * The library of the CUDA backend, which is loaded only when it is asked for: from the file that the system property {@value
 * #PROPERTY} names, or the folder of the native library, or else from a {@link CudaLibrarySource} by way of a private
 * temporary folder. Nowhere else is searched. Thread-safe.
 */
final class CudaLibrary {
    /** System property: the file that holds the library. */
    static final String PROPERTY = "hydra4j.cuda.library";

    static final String NAME = "libhydra4j_cuda.so";

    private static final List<Path> DRIVERS = List.of(Path.of("/dev/nvidiactl"), Path.of("/dev/dxg"));
    private static final int MAX_DESCRIPTION = 512;

    private static String extracted;
    private static NativeException failure;

    private CudaLibrary() {}

    /**
     * The library's path, as the C ABI takes it.
     *
     * @throws NativeException with status {@code UNAVAILABLE} and the reason if it cannot be used
     * @throws LibraryLoadException if the native library itself cannot be loaded
     */
    static String path() {
        NativeLibrary.load();
        String file = System.getProperty(PROPERTY, "");
        String folder = System.getProperty(NativeLibrary.PATH_PROPERTY, "");
        if (file.isEmpty() && folder.isEmpty()) {
            return packed();
        }
        return (file.isEmpty() ? Path.of(folder, NAME) : Path.of(file))
                .toAbsolutePath()
                .toString();
    }

    /** The file is deleted as soon as it is loaded; its path goes on meaning the library. */
    private static synchronized String packed() {
        if (failure != null) {
            throw new NativeException(failure.status(), failure.getMessage(), failure);
        }
        if (extracted == null) {
            try {
                try (LibraryFiles files = LibraryFiles.extract(List.of(NAME), name -> open())) {
                    String path = files.folder().resolve(NAME).toAbsolutePath().toString();
                    devices(path);
                    extracted = path;
                }
            } catch (NativeException exception) {
                failure = exception;
                throw exception;
            }
        }
        return extracted;
    }

    private static InputStream open() throws IOException {
        boolean found = false;
        for (CudaLibrarySource source :
                ServiceLoader.load(CudaLibrarySource.class, CudaLibrary.class.getClassLoader())) {
            Optional<InputStream> library = source.open();
            if (library.isPresent()) {
                return library.get();
            }
            found = true;
        }
        throw new NativeException(
                NativeException.Status.UNAVAILABLE,
                found
                        ? "hydra4j-cuda has no library: no CUDA compiler was there when it was built"
                        : "the artifact hydra4j-cuda is neither on the class path nor on the module path",
                null);
    }

    /** Why it is not worth a try, told without loading anything; empty if it is. */
    static String obstacle() {
        return !System.getProperty(PROPERTY, "").isEmpty() || DRIVERS.stream().anyMatch(Files::exists)
                ? ""
                : "no NVIDIA driver is loaded";
    }

    /** @throws NativeException with status {@code UNAVAILABLE} and the reason if there is none */
    static int devices(String path) {
        int[] count = new int[1];
        NativeException.check(Native.hydra_cuda_devices(path, count));
        return count[0];
    }

    /** @throws NativeException if there is no such device */
    static String describe(String path, int device) {
        byte[] text = new byte[MAX_DESCRIPTION];
        NativeException.check(Native.hydra_cuda_describe(path, device, text, text.length));
        int length = 0;
        while (text[length] != 0) {
            length++;
        }
        return new String(text, 0, length, StandardCharsets.UTF_8);
    }
}
