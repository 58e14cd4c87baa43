/** The command line: {@code java -jar hydra4j-cli.jar}, one class for each command. */
package io.hydra4j.cli;
