package io.hydra4j.golden;

import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;

/** A model with or without heads on a backend of its own, for sessions that keep logits. */
public record Loaded(Backend backend, DecoderModel base, DraftHeads heads) implements AutoCloseable {
    /** One thread and the best instruction set. */
    public static Loaded open(Path model, Path heads, WeightType type) {
        return open(model, heads, type, 1, InstructionSet.AUTO);
    }

    /**
     * @param heads null for none
     * @param type of all matrices of base and heads; null to keep the files'
     */
    public static Loaded open(Path model, Path heads, WeightType type, int threads, InstructionSet isa) {
        return open(Backend.openCpu(threads, isa), model, heads, type);
    }

    /** On a backend, which is closed with the model. */
    public static Loaded open(Backend backend, Path model, Path heads, WeightType type) {
        return open(backend, model, heads, type, KvType.AUTO);
    }

    /** On a backend, which is closed with the model. */
    public static Loaded open(Backend backend, Path model, Path heads, WeightType type, KvType kv) {
        return open(backend, ModelFiles.open(model), heads, type, kv);
    }

    /** On a backend, which is closed with the model. */
    static Loaded open(Backend backend, ModelFiles files, Path heads, WeightType type, KvType kv) {
        DecoderModel base = DecoderModel.load(backend, files, type, kv, 0, 0, fraction -> {});
        DraftHeads loaded = heads == null
                ? null
                : DraftHeads.load(base, HeadsFiles.open(heads, files.config()), type, 0, fraction -> {});
        return new Loaded(backend, base, loaded);
    }

    /** A session with this tree that keeps logits. */
    public Session session(Tree tree) {
        return session(tree, Acceptance.exact());
    }

    /** A session with this tree that keeps these guesses, and logits. */
    public Session session(Tree tree, Acceptance acceptance) {
        return Sessions.session(
                base, heads, SessionOptions.of(tree).withAcceptance(acceptance).withLogits());
    }

    @Override
    public void close() {
        if (heads != null) {
            heads.close();
        }
        base.close();
        backend.close();
    }
}
