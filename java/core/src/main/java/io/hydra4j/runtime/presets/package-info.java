/** How the bindings are generated; used by the build only. */
package io.hydra4j.runtime.presets;
