package io.hydra4j.runtime;

import org.bytedeco.javacpp.Pointer;

/** What owns one native object by way of a handle. */
abstract class NativeObject<P extends Pointer> implements AutoCloseable {
    final Handle<P> handle;

    NativeObject(Handle<P> handle) {
        this.handle = handle;
    }

    Handle<P> handle() {
        return handle;
    }

    /** Closes the object. Its memory stays until what was made from it, and programs that recorded it, are closed too. */
    @Override
    public void close() {
        handle.close();
    }
}
