package io.hydra4j.runtime;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.function.ToIntFunction;
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

    /** Calls with the bytes from position to limit. */
    static int read(ByteBuffer source, ToIntFunction<Pointer> direct, ToIntFunction<byte[]> array) {
        return source.isDirect() ? direct(source, direct) : array.applyAsInt(bytes(source));
    }

    /** Calls with the room from position to limit, which the call fills. */
    static int write(ByteBuffer target, ToIntFunction<Pointer> direct, ToIntFunction<byte[]> array) {
        if (target.isDirect()) {
            return direct(target, direct);
        }
        byte[] bytes = new byte[target.remaining()];
        int status = array.applyAsInt(bytes);
        target.duplicate().put(bytes);
        return status;
    }

    private static int direct(ByteBuffer buffer, ToIntFunction<Pointer> call) {
        try {
            return call.applyAsInt(new Memory(new Pointer(buffer.slice()).address(), buffer.remaining()));
        } finally {
            Reference.reachabilityFence(buffer);
        }
    }

    private static byte[] bytes(ByteBuffer source) {
        if (source.hasArray() && source.remaining() == source.array().length) {
            return source.array();
        }
        byte[] bytes = new byte[source.remaining()];
        source.duplicate().get(bytes);
        return bytes;
    }
}
