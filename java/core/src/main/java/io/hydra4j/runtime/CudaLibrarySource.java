package io.hydra4j.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import java.util.ServiceLoader;

/**
 * Brings the library of the CUDA backend. The artifact {@code hydra4j-cuda} implements it; a {@link ServiceLoader} finds it,
 * on the class path as on the module path.
 */
public interface CudaLibrarySource {
    /**
     * {@return the bytes of {@code libhydra4j_cuda.so}, to be closed by the caller; empty if there was no CUDA compiler when it
     * was built}
     *
     * @throws IOException if they cannot be read
     */
    Optional<InputStream> open() throws IOException;
}
