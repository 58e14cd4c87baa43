package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.ContextFullException;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** A mistake of the caller is told from another one by its type, and a null by the name of its argument. */
class NullArgumentsTest {
    @TempDir
    private static Path folder;

    private static HydraModel model;

    @BeforeAll
    static void open() {
        model = HydraModel.open(
                Original.withTokenizer(Original.variant(folder, List.of(257), 1024)),
                OpenOptions.DEFAULT
                        .withHeads(Original.heads("hydra-plus-plus"))
                        .withBackend(BackendKind.CPU)
                        .withThreads(1));
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static void assertNames(String argument, Executable call) {
        String message = assertThrows(NullPointerException.class, call).getMessage();
        assertTrue(message.startsWith(argument + " is null: "), message);
    }

    @Test
    void aModelNamesTheNullThatItWasGiven() {
        assertNames("path", () -> HydraModel.open(null));
        assertNames("options", () -> HydraModel.open(folder, null));
        assertNames("text", () -> model.encode(null));
        assertNames("text", () -> model.generate((String) null, GenerationOptions.DEFAULT));
        assertNames("promptIds", () -> model.generate((int[]) null, GenerationOptions.DEFAULT));
        assertNames("options", () -> model.generate("a", null));
        assertNames("listener", () -> model.generate("a", GenerationOptions.DEFAULT, null));
        assertNames("options", () -> model.stream("a", null));
        assertNames("executor", () -> model.publish("a", GenerationOptions.DEFAULT, null));
        assertNames("options", () -> model.publish("a", null, Runnable::run));
        assertNames("options", () -> model.session(null));
        assertNames("options", () -> model.batch(null));
        assertNames("promptIds", () -> model.output(null, GenerationOptions.DEFAULT));
        assertNames("ids", () -> model.decode((int[]) null));
        assertNames("texts", () -> model.tuneTree(null, TuningOptions.DEFAULT));
        assertNames("options", () -> model.tuneTree(List.of(), null));
        assertNames("file", () -> TreeFile.read(null));
        assertNames("source", () -> TreeFile.parse(null, "[]"));
        assertNames("json", () -> TreeFile.parse(folder, null));
        assertNames("file", () -> TunedTree.load(null));
        assertNames("messages", () -> model.chat(null, GenerationOptions.DEFAULT));
        assertNames("a message", () -> model.encode(Collections.singletonList(null), ChatOptions.DEFAULT));
        assertNames("options", () -> model.prompt(List.of(), null));
        assertNames("options", () -> model.conversation(null));
        assertNames("content", () -> Message.user(null));
        assertNames("tools", () -> ChatOptions.DEFAULT.withTools(null));
    }

    @Test
    void optionsNameTheNullThatTheyWereGiven() {
        assertNames("speculation", () -> GenerationOptions.DEFAULT.withSpeculation(null));
        assertNames("stop", () -> GenerationOptions.DEFAULT.withStop(null));
        assertNames("a stop string", () -> GenerationOptions.DEFAULT.withStop(Collections.singletonList(null)));
        assertNames("cancelled", () -> GenerationOptions.DEFAULT.withCancelled(null));
        assertNames("acceptance", () -> GenerationOptions.DEFAULT.withAcceptance(null));
        assertNames("acceptance", () -> SessionOptions.of(Tree.ROOT).withAcceptance(null));
        assertNames("acceptance", () -> BatchOptions.of(1, Tree.ROOT).withAcceptance(null));
        assertNames("backend", () -> OpenOptions.DEFAULT.withBackend(null));
        assertNames("tree", () -> SessionOptions.of(null));
        assertNames("tree", () -> BatchOptions.of(1, null));
    }

    @Test
    void treesAndStepsNameTheNullThatTheyWereGiven() {
        assertNames("paths", () -> Tree.of(null));
        assertNames("a path", () -> Tree.of(Arrays.asList(List.of(0), null)));
        assertNames("tokens", () -> new Step(null, new int[1], 1));
        assertNames("path", () -> new Step(new int[1], null, 1));
    }

    @Test
    void aSessionNamesTheNullThatItWasGivenAndGoesOn() {
        try (Session session = model.session(SessionOptions.of(model.tree()))) {
            assertNames("ids", () -> session.prefill((int[]) null));
            assertNames("each", () -> session.prefill(new int[] {1}, (Session.PrefillListener) null));
            assertNames("cancelled", () -> session.prefill(new int[] {1}, (BooleanSupplier) null));
            assertNames("tree", () -> session.setTree(null));
            session.prefill(1, 2, 3);
            session.draft();
            session.verify();
            assertNames("selected", () -> session.accept((int[]) null));
            session.accept();
            assertTrue(session.length() > 3);
        }
    }

    @Test
    void aBatchNamesTheNullThatItWasGivenAndGoesOn() {
        try (BatchSession batch = model.batch(BatchOptions.of(2, model.tree()))) {
            assertNames("prompts", () -> batch.prefill((Map<Integer, int[]>) null));
            assertNames("a sequence", () -> batch.prefill(Collections.singletonMap(null, new int[] {1})));
            assertNames("ids", () -> batch.prefill(Collections.singletonMap(0, null)));
            assertNames("ids", () -> batch.prefill(0, (int[]) null));
            assertNames("ids", () -> batch.enqueuePrompt(0, (int[]) null));
            assertNames("tree", () -> batch.setTree(null));
            assertNames("tree", () -> batch.setTree(1, null));
            batch.prefill(0, 1, 2, 3);
            batch.draft();
            batch.verify();
            assertNames("selected", () -> batch.accept(null));
            batch.accept();
            assertTrue(batch.length(0) > 3);
        }
    }

    @Test
    void otherMistakesAreNoNullsAndALackOfContextIsNeither() {
        try (Session session = model.session(SessionOptions.of(Tree.ROOT).withMaxPositions(2))) {
            assertThrows(IllegalArgumentException.class, () -> session.prefill());
            assertThrows(IllegalArgumentException.class, () -> session.prefill(-1));
            assertThrows(IllegalStateException.class, session::step);
            assertThrows(ContextFullException.class, () -> session.prefill(1, 2, 3));
            assertEquals(2, session.remainingContext());
            session.prefill(1, 2);
            assertEquals(0, session.remainingContext());
            assertThrows(ContextFullException.class, session::step);
        }
    }
}
