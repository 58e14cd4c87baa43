package io.hydra4j.runtime;

/** What owns one native object by way of a handle. */
abstract class NativeObject implements AutoCloseable {
    abstract Handle<?> handle();

    /** Closes the object. Its memory stays until what was made from it, and programs that recorded it, are closed too. */
    @Override
    public void close() {
        handle().close();
    }
}
