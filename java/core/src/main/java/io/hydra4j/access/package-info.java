/** How other modules of this library make models of parts that they have loaded. Not exported to others. */
package io.hydra4j.access;
