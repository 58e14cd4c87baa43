package io.hydra4j.runtime;

import java.nio.ByteBuffer;
import org.bytedeco.javacpp.Pointer;

/** Memory that the native library only reads or writes during one call. Owns nothing. */
final class Memory extends Pointer {
    Memory(long address, long bytes) {
        this.address = address;
        this.limit = bytes;
        this.capacity = bytes;
    }

    /** JavaCPP counts limit and capacity in units of this; by default that of a pointer itself. */
    @Override
    public int sizeof() {
        return 1;
    }

    /** The same region of a buffer's array without an array offset, which JavaCPP's generated code does not release rightly. */
    static ByteBuffer target(ByteBuffer buffer) {
        return buffer.isDirect()
                ? buffer
                : ByteBuffer.wrap(buffer.array(), buffer.arrayOffset() + buffer.position(), buffer.remaining());
    }

    /** As {@link #target}, for a buffer that is only read: one without an accessible array is copied. */
    static ByteBuffer source(ByteBuffer buffer) {
        if (buffer.isDirect() || buffer.hasArray()) {
            return target(buffer);
        }
        return ByteBuffer.allocate(buffer.remaining()).put(buffer.duplicate()).flip();
    }
}
