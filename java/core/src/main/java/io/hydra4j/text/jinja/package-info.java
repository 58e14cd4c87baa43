/**
 * The templates that chat models come with: the subset of Jinja that they use, read and carried out with bounds on steps, text and
 * depth, in a world of plain values: nothing of the host can be reached.
 */
package io.hydra4j.text.jinja;
