package io.hydra4j.decode;

import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;

/**
 * The programs of a batch: passes over prompts, and steps over trees alone or with prompts beside them, at once or in parts. Unlike
 * in a {@link Session} the draft commits what a step leaves as the step ends: clearing or rewinding one sequence invalidates all rows
 * of the batch, and none may be uncommitted then.
 */
final class BatchPrograms {
    private final Passes passes;
    private final Program prefill;
    private final Program lastPrefill;
    private final Program plainStep;
    private final Program draftStep;
    private final Program plainMixed;
    private final Program draftMixed;
    /** Recorded when they are first needed. */
    private Program growingStep;

    private Program growingMixed;
    private StepParts parts;
    private StepParts mixedParts;

    /** Closed with the passes. */
    BatchPrograms(Passes passes) {
        this.passes = passes;
        prefill = passes.prefill(false, false);
        lastPrefill = passes.prefill(true, false);
        plainStep = recordStep(passes.nodes(), Drafting.NONE);
        draftStep = passes.drafts() ? recordStep(passes.nodes(), Drafting.FIXED) : plainStep;
        plainMixed = recordStep(passes.mixed(), Drafting.NONE);
        draftMixed = passes.drafts() ? recordStep(passes.mixed(), Drafting.FIXED) : plainMixed;
    }

    private Program recordStep(PassRows rows, Drafting drafting) {
        return passes.program(program -> record(program, rows, drafting));
    }

    private void record(Program program, PassRows rows, Drafting drafting) {
        passes.recordExpand(program, rows);
        switch (drafting) {
            case NONE -> {}
            case FIXED -> passes.recordDraft(program, rows);
            case GROWING -> passes.recordGrowth(program, rows);
        }
        program.mark();
        passes.recordVerify(program, rows);
        program.mark();
        passes.recordAccept(program, rows, false);
        program.mark();
        if (passes.draft() != null) {
            passes.draft().recordCommit(program, passes.left(rows));
        }
    }

    /** A pass over prompts alone. */
    Program prefill(PromptQueue.Portion portion) {
        return portion.endsAny() ? lastPrefill : prefill;
    }

    /** A step with trees. */
    Program step(BatchStep step) {
        return switch (step.drafting()) {
            case NONE -> step.takesIn() ? plainMixed : plainStep;
            case FIXED -> step.takesIn() ? draftMixed : draftStep;
            case GROWING -> step.takesIn() ? growingMixed() : growingStep();
        };
    }

    private Program growingStep() {
        growingStep = growingStep == null ? recordStep(passes.nodes(), Drafting.GROWING) : growingStep;
        return growingStep;
    }

    private Program growingMixed() {
        growingMixed = growingMixed == null ? recordStep(passes.mixed(), Drafting.GROWING) : growingMixed;
        return growingMixed;
    }

    /** The parts of a step, made when they are first needed. */
    StepParts parts(BatchStep step) {
        if (step.takesIn()) {
            mixedParts = mixedParts == null ? new StepParts(passes, passes.mixed(), true) : mixedParts;
            return mixedParts;
        }
        parts = parts == null ? new StepParts(passes, passes.nodes(), true) : parts;
        return parts;
    }
}
