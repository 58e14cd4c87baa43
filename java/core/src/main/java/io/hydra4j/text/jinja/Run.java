package io.hydra4j.text.jinja;

import java.time.LocalDateTime;
import java.util.function.Supplier;

/**
 * One rendering.
 *
 * @param budget what it may still spend
 * @param now what time it is for it
 */
record Run(Budget budget, Supplier<LocalDateTime> now) {}
