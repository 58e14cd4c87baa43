/** How the bindings are generated; used by the build only. */
package io.hydra4j.train.presets;
