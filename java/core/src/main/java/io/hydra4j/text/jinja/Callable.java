package io.hydra4j.text.jinja;

/** A function, method or macro. */
@FunctionalInterface
interface Callable {
    Object call(Arguments arguments, Run run);
}
