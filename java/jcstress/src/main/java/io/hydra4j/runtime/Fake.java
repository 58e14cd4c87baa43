package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.javacpp.Pointer;

/** A native object that is none: counts how often it is destroyed. */
final class Fake {
    static {
        NativeLibrary.load();
    }

    final AtomicInteger destroyed = new AtomicInteger();
    final Handle<Pointer> handle;

    Fake(Handle<?>... parents) {
        handle = Handle.create(
                "fake", new Memory(1, 1), out -> Native.HYDRA_OK, out -> destroyed.incrementAndGet(), List.of(parents));
    }
}
