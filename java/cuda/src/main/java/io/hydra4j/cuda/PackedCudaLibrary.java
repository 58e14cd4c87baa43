package io.hydra4j.cuda;

import io.hydra4j.runtime.CudaLibrarySource;
import java.io.InputStream;
import java.util.Optional;

/** The library that the build has put into this jar. Thread-safe. */
public final class PackedCudaLibrary implements CudaLibrarySource {
    private static final String RESOURCE = "/META-INF/native/linux-x86_64/libhydra4j_cuda.so";

    @Override
    public Optional<InputStream> open() {
        return Optional.ofNullable(PackedCudaLibrary.class.getResourceAsStream(RESOURCE));
    }
}
