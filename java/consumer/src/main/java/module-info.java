/** A program that uses the library and no more than it exports. */
module io.hydra4j.consumer {
    requires io.hydra4j;
}
