package io.hydra4j.train.device;

import io.hydra4j.train.bindings.NativeTrain;
import io.hydra4j.train.bindings.hydra_train_buffer;
import org.bytedeco.javacpp.Pointer;

/**
 * Memory of a device: float32 values, or int32 ids. A view of another buffer is one of its own, and the memory stays while either is
 * open. Thread-safe; not to be closed while an operation uses it.
 */
public final class TrainBuffer implements AutoCloseable {
    private final TrainDevice device;
    private final hydra_train_buffer pointer;
    private final long count;

    TrainBuffer(TrainDevice device, hydra_train_buffer pointer, long count) {
        this.device = device;
        this.pointer = pointer;
        this.count = count;
    }

    /** @return elements */
    public long count() {
        return count;
    }

    /**
     * Elements of this buffer as one of their own.
     *
     * @param offset the first of them
     * @param elements how many, at least one
     * @return to be closed, before or after this one; closing the device does it too
     */
    public TrainBuffer view(long offset, long elements) {
        var out = new hydra_train_buffer();
        TrainDevice.check(NativeTrain.hydra_train_buffer_view(pointer(), offset, elements, out));
        return device.own(new TrainBuffer(device, out, elements));
    }

    /**
     * Copies values into the buffer.
     *
     * @param offset the first element that is written
     */
    public void upload(long offset, float... values) {
        requireFit(offset, values.length);
        TrainDevice.check(NativeTrain.hydra_train_upload(pointer(), offset, values, values.length));
    }

    /** Copies ids into the buffer; as {@link #upload(long, float...)}. */
    public void upload(long offset, int... ids) {
        requireFit(offset, ids.length);
        TrainDevice.check(NativeTrain.hydra_train_upload(pointer(), offset, ids, ids.length));
    }

    /**
     * Copies float32 values from memory of the same device that is no buffer of this kind, such as a {@code Buffer} of a backend. What
     * computes them must have ended; they have been read when this returns.
     *
     * @param offset the first element that is written
     * @param address of the first value, on the device; of the host's memory where the device is the processor
     * @param elements how many
     */
    public void copyIn(long offset, long address, long elements) {
        TrainDevice.check(NativeTrain.hydra_train_copy_in(pointer(), offset, new Address(address), elements));
    }

    /**
     * Copies elements, as many as the array has, out of the buffer.
     *
     * @param offset the first element that is read
     */
    public void download(long offset, float[] target) {
        TrainDevice.check(NativeTrain.hydra_train_download(pointer(), offset, target, target.length));
    }

    /** Copies ids out of the buffer; as {@link #download(long, float[])}. */
    public void download(long offset, int[] target) {
        TrainDevice.check(NativeTrain.hydra_train_download(pointer(), offset, target, target.length));
    }

    /** A pointer to memory that is not this library's. */
    private static final class Address extends Pointer {
        Address(long address) {
            this.address = address;
        }
    }

    private void requireFit(long offset, int elements) {
        if (offset < 0 || elements > count - offset) {
            throw new IndexOutOfBoundsException(elements + " elements from " + offset + " on: the buffer has " + count);
        }
    }

    hydra_train_buffer pointer() {
        if (pointer.isNull()) {
            throw new IllegalStateException("the buffer is closed");
        }
        return pointer;
    }

    @Override
    public void close() {
        device.release(this);
    }

    void destroy() {
        NativeTrain.hydra_train_buffer_destroy(pointer);
        pointer.setNull();
    }
}
