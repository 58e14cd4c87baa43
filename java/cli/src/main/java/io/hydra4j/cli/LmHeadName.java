package io.hydra4j.cli;

import io.hydra4j.train.HeadsDesign.LmHead;

/** The names that places of LM heads have on the command line. */
final class LmHeadName extends ConstantName<LmHead> {
    LmHeadName() {
        super(LmHead.class);
    }
}
