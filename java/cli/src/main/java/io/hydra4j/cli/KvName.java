package io.hydra4j.cli;

import io.hydra4j.runtime.KvType;

/** The names that types of keys and values have on the command line. */
final class KvName extends ConstantName<KvType> {
    KvName() {
        super(KvType.class);
    }
}
