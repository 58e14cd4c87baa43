/** How packages of this module that have a loaded model come by sessions. Not exported. */
package io.hydra4j.decode.access;
