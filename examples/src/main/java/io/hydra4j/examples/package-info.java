/** Small programs that stand alone: each shows one way of using Hydra4J. */
package io.hydra4j.examples;
