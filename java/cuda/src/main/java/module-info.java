/** The library of Hydra4J's CUDA backend. It is found wherever this module is; nothing needs to require it. */
module io.hydra4j.cuda {
    requires io.hydra4j;

    provides io.hydra4j.runtime.CudaLibrarySource with
            io.hydra4j.cuda.PackedCudaLibrary;
}
