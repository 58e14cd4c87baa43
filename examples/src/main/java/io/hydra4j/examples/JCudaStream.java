package io.hydra4j.examples;

import java.util.ArrayList;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jcuda.runtime.JCuda;
import jcuda.runtime.cudaMemcpyKind;
import jcuda.runtime.cudaStream_t;

/**
 * The side of a program that uses JCuda: a stream, memory of the device and of the host, and a kernel of its own. Everything is
 * freed with it; nothing waits, except closing.
 */
final class JCudaStream implements AutoCloseable {
    private static final int BLOCK = 256;

    /**
     * values[i] = values[i] * factor + summand for i below count. The driver compiles it for the device at hand, which needs no
     * CUDA toolkit.
     */
    private static final String AFFINE =
            """
            .version 7.0
            .target sm_80
            .address_size 64

            .visible .entry affine(.param .u64 values, .param .u32 count, .param .f32 factor, .param .f32 summand)
            {
                .reg .pred %outside;
                .reg .f32 %value, %factor, %summand;
                .reg .b32 %i, %count, %block, %threads, %thread;
                .reg .b64 %values, %offset, %place;

                ld.param.u64 %values, [values];
                ld.param.u32 %count, [count];
                ld.param.f32 %factor, [factor];
                ld.param.f32 %summand, [summand];
                mov.u32 %block, %ctaid.x;
                mov.u32 %threads, %ntid.x;
                mov.u32 %thread, %tid.x;
                mad.lo.s32 %i, %block, %threads, %thread;
                setp.ge.s32 %outside, %i, %count;
                @%outside bra end;
                cvta.to.global.u64 %values, %values;
                mul.wide.s32 %offset, %i, 4;
                add.s64 %place, %values, %offset;
                ld.global.f32 %value, [%place];
                fma.rn.f32 %value, %value, %factor, %summand;
                st.global.f32 [%place], %value;
            end:
                ret;
            }
            """;

    private final Handle stream = new Handle();
    private final CUmodule module = new CUmodule();
    private final CUfunction affine = new CUfunction();
    private final List<Runnable> freeing = new ArrayList<>();

    /** @throws jcuda.CudaException if the device does not do its part, as all methods here */
    JCudaStream(int device) {
        JCuda.setExceptionsEnabled(true);
        JCudaDriver.setExceptionsEnabled(true);
        JCuda.cudaSetDevice(device);
        JCuda.cudaStreamCreateWithFlags(stream, JCuda.cudaStreamNonBlocking);
        JCudaDriver.cuModuleLoadData(module, AFFINE);
        JCudaDriver.cuModuleGetFunction(affine, module, "affine");
    }

    /** The {@code cudaStream_t}. */
    long address() {
        return stream.address();
    }

    /** Device memory {@code float[count]}. */
    Memory onDevice(int count) {
        Memory memory = new Memory();
        JCuda.cudaMalloc(memory, (long) count * Float.BYTES);
        freeing.add(() -> JCuda.cudaFree(memory));
        return memory;
    }

    /** Memory of the host {@code float[count]} that the device copies from and to by itself. */
    Pointer onHost(int count) {
        Pointer memory = new Pointer();
        JCuda.cudaMallocHost(memory, (long) count * Float.BYTES);
        freeing.add(() -> JCuda.cudaFreeHost(memory));
        return memory;
    }

    /** Enqueues a copy of floats from host to device. */
    void copyIn(Pointer device, Pointer host, int count) {
        copy(device, host, count, cudaMemcpyKind.cudaMemcpyHostToDevice);
    }

    /** Enqueues a copy of floats from device to host. */
    void copyOut(Pointer host, Pointer device, int count) {
        copy(host, device, count, cudaMemcpyKind.cudaMemcpyDeviceToHost);
    }

    private void copy(Pointer target, Pointer source, int count, int kind) {
        JCuda.cudaMemcpyAsync(target, source, (long) count * Float.BYTES, kind, stream);
    }

    /** Enqueues the kernel. */
    void affine(Pointer values, int count, float factor, float summand) {
        Pointer arguments = Pointer.to(
                Pointer.to(values),
                Pointer.to(new int[] {count}),
                Pointer.to(new float[] {factor}),
                Pointer.to(new float[] {summand}));
        int blocks = (count + BLOCK - 1) / BLOCK;
        JCudaDriver.cuLaunchKernel(affine, blocks, 1, 1, BLOCK, 1, 1, 0, new CUstream(stream), arguments, null);
    }

    @Override
    public void close() {
        JCuda.cudaStreamSynchronize(stream);
        freeing.forEach(Runnable::run);
        JCudaDriver.cuModuleUnload(module);
        JCuda.cudaStreamDestroy(stream);
    }

    /** A stream that tells its address, which JCuda keeps to subclasses. */
    private static final class Handle extends cudaStream_t {
        long address() {
            return getNativePointer();
        }
    }

    /** Memory that tells its address. */
    static final class Memory extends Pointer {
        long address() {
            return getNativePointer() + getByteOffset();
        }
    }
}
