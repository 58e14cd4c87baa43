package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.ChatOptions;
import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraModel;
import io.hydra4j.Message;
import io.hydra4j.OpenOptions;
import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.golden.Original;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jline.terminal.Attributes;
import org.jline.terminal.Terminal;
import org.jline.terminal.impl.ExternalTerminal;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Talks with a tiny model of bytes, whose turns stand between its tokens 256 and 257. */
class ChatTest {
    private static final int LIMIT = 6;

    @TempDir
    static Path folder;

    private static Path model;

    @BeforeAll
    static void makeModel() throws IOException {
        model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("model")), List.of(257), 512));
        Files.writeString(
                model.resolve("chat_template.jinja"),
                "{% for m in messages %}<file>{{ m.role }}:{{ m.content }}</file>{% endfor %}"
                        + "{% if add_generation_prompt %}<file>assistant:{% endif %}");
    }

    private static Outcome chat(String input, Object... more) {
        List<Object> line = new ArrayList<>(List.of("chat", "--model", model, "--max-tokens", LIMIT));
        line.addAll(List.of(more));
        return CommandLines.runWith(input, line.toArray());
    }

    private static String answer(Message... messages) {
        try (HydraModel opened = HydraModel.open(model, OpenOptions.DEFAULT)) {
            return opened.chat(List.of(messages), GenerationOptions.DEFAULT.withMaxTokens(LIMIT))
                    .text();
        }
    }

    @Test
    void eachLineIsAMessageOfOneConversation() {
        String first = answer(Message.system("be"), Message.user("one"));
        String second =
                answer(Message.system("be"), Message.user("one"), Message.assistant(first), Message.user("two"));
        Outcome outcome = chat("one\n\ntwo\n", "--system", "be", "--stats");
        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertEquals(first + "\n" + second + "\n", outcome.out());
        List<String> statistics = outcome.err().lines().toList();
        assertEquals(2, statistics.size(), outcome.err());
        assertTrue(statistics.get(0).endsWith("prompt of 32 tokens, 32 of them new"), outcome.err());
        // What was said before, and the end of the answer, are there.
        assertTrue(statistics.get(1).endsWith("of them new"), outcome.err());
        int fresh = Integer.parseInt(statistics.get(1).replaceFirst(".* tokens, (\\d+) of them new$", "$1"));
        assertTrue(fresh <= "</file><file>user:two</file><file>assistant:".length(), outcome.err());
    }

    /** Guesses change how an answer comes about, and not what it is. */
    @ParameterizedTest
    @CsvSource({
        "--speculation off,                            plain",
        "--tree chain:3,                               hydra++ with trees of",
        "--tree dynamic:4 --draft heads+lookup,        hydra++ and lookup with trees of 4",
        "--draft lookup --speculation on,              lookup with trees of",
        "--accept typical --tree default,              typical acceptance (lossy)"
    })
    void theOptionsOfSpeculationAreThoseOfGenerate(String options, String told) {
        List<Object> line = new ArrayList<>(List.of("--heads", Original.heads("hydra-plus-plus"), "--stats"));
        line.addAll(List.of(options.split(" ")));
        Outcome outcome = chat("one\ntwo\n", line.toArray());
        assertEquals(Main.OK, outcome.code(), outcome.err());
        List<String> statistics = outcome.err().lines().toList();
        assertEquals(2, statistics.size(), outcome.err());
        assertTrue(statistics.get(1).contains(told), outcome.err());
        if (!options.contains("typical")) {
            assertEquals(chat("one\ntwo\n").out(), outcome.out());
        }
    }

    @Test
    void guessesOfHeadsThatAreNotThereAreRefusedAtOnce() {
        Outcome outcome = chat("one\n", "--draft", "heads");
        assertEquals(Main.USAGE, outcome.code());
        assertEquals("", outcome.out());
        assertTrue(outcome.err().contains("--draft heads without draft heads"), outcome.err());
    }

    @Test
    void theContextCanBeShortened() {
        Outcome outcome = chat("x".repeat(64) + "\none\n", "--context", 64);
        assertEquals(Main.FAILURE, outcome.code());
        assertEquals(answer(Message.user("one")) + "\n", outcome.out());
        assertTrue(outcome.err().contains("the model's context holds 64"), outcome.err());
        Outcome longer = chat("one\n", "--context", 513);
        assertEquals(Main.FAILURE, longer.code());
        assertTrue(longer.err().contains("context is 513, more than the 512 tokens of the model"), longer.err());
    }

    @Test
    void aMessageMayHaveSeveralLines() {
        String answer = answer(Message.user("one\ntwo"));
        assertEquals(answer + "\n", chat("one\\\ntwo\n").out());
        assertEquals(answer + "\n", chat("\"\"\"\none\ntwo\n\"\"\"\n").out());
    }

    @Test
    void commandsBeginAnewSaveAndEnd() throws IOException {
        Path saved = folder.resolve("saved.json");
        String input = "one\n/reset\n/system be\none\n/save " + saved + "\n/exit\ntwo\n";
        String plain = answer(Message.user("one"));
        String told = answer(Message.system("be"), Message.user("one"));
        Outcome outcome = chat(input);
        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertEquals(plain + "\n" + told + "\n", outcome.out());
        assertEquals(
                List.of(Message.system("be"), Message.user("one"), Message.assistant(told)),
                MessagesFile.read(saved, Console.of(null, null, null)));
        assertTrue(chat("/help\n").err().contains("/system TEXT"));
    }

    @Test
    void whatGoesWrongIsToldAndTheChatGoesOn() {
        Outcome outcome = chat("/nothing\n/save\n/save /no/such/folder/x\n" + "x".repeat(600) + "\none\n");
        assertEquals(Main.FAILURE, outcome.code());
        assertEquals(answer(Message.user("one")) + "\n", outcome.out());
        List<String> told = outcome.err().lines().toList();
        assertEquals(4, told.size(), outcome.err());
        assertTrue(told.get(0).contains("'/nothing' is no command"), outcome.err());
        assertTrue(told.get(2).contains("cannot be written"), outcome.err());
        assertTrue(told.get(3).contains("the model's context holds 512"), outcome.err());
    }

    @Test
    void aModelWithoutTemplateIsRefusedAtOnce() {
        Outcome outcome = CommandLines.runWith("one\n", "chat", "--model", Original.base());
        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().contains("no chat template"), outcome.err());
    }

    /** Lines of a list; Ctrl-C is typed as soon as something was answered. */
    private static final class Typed implements ChatLines {
        private final Deque<String> lines;
        private Runnable action;

        Typed(String... lines) {
            this.lines = new ArrayDeque<>(List.of(lines));
        }

        @Override
        public String next(String prompt) throws Interrupted {
            assertNull(action);
            if ("^C".equals(lines.peek())) {
                lines.poll();
                throw new Interrupted();
            }
            return lines.poll();
        }

        @Override
        public void onInterrupt(Runnable next) {
            action = next;
        }

        @Override
        public void close() {}
    }

    @Test
    void ctrlCEndsTheAnswerAndNotTheProgram() {
        Typed lines = new Typed("one", "^C", "two");
        ByteArrayOutputStream out = new ByteArrayOutputStream() {
            @Override
            public synchronized void write(byte[] bytes, int from, int count) {
                super.write(bytes, from, count);
                if (lines.action != null && !lines.lines.isEmpty()) {
                    lines.action.run();
                }
            }
        };
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console console = new Console(new ByteArrayInputStream(new byte[0]), out, err, true, true, true, false);
        try (HydraModel opened = HydraModel.open(model, OpenOptions.DEFAULT)) {
            GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(100);
            boolean isGood = new ChatLoop(
                            console, opened, ChatOptions.DEFAULT, turn -> options, lines, null, false, false)
                    .run();
            assertTrue(isGood);
        }
        String told = err.toString(StandardCharsets.UTF_8);
        assertTrue(told.contains("the answer was ended"), told);
        assertTrue(out.toString(StandardCharsets.UTF_8).endsWith("\n"), "a line begins after it");
        assertTrue(told.contains("/exit or Ctrl-D ends the chat"), told);
        List<String> answers = out.toString(StandardCharsets.UTF_8).lines().toList();
        assertTrue(answers.size() >= 2, answers.toString());
        assertTrue(answers.get(0).length() < 100, answers.toString());
    }

    @Test
    void aPersonIsToldWhatCommandsHaveDone() {
        Path saved = folder.resolve("told.json");
        Typed lines = new Typed("one", "/stats", "/stats", "/save " + saved, "/system be", "/reset", "/system", "/x y");
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console console = new Console(
                new ByteArrayInputStream(new byte[0]), new ByteArrayOutputStream(), err, true, true, true, false);
        try (HydraModel opened = HydraModel.open(model, OpenOptions.DEFAULT)) {
            GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(LIMIT);
            new ChatLoop(console, opened, ChatOptions.DEFAULT, turn -> options, lines, null, false, false).run();
        }
        assertEquals(
                List.of(
                        "/help lists commands, Ctrl-D ends the chat",
                        "the answer was cut at --max-tokens 6",
                        "what an answer took is shown after it",
                        "what an answer took is no longer shown",
                        saved + ": 2 messages",
                        "the conversation begins anew, with the system message: be",
                        "the conversation begins anew, with the system message: be",
                        "the conversation begins anew, without a system message",
                        "'/x' is no command: /help lists them; with a space before it, it is a message"),
                err.toString(StandardCharsets.UTF_8)
                        .lines()
                        .map(line -> line.replace("hydra4j: ", ""))
                        .toList());
    }

    @Test
    void anAnswerThatTheContextCutsSaysSo() {
        Typed lines = new Typed("x".repeat(450));
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console console = new Console(
                new ByteArrayInputStream(new byte[0]), new ByteArrayOutputStream(), err, true, true, true, false);
        try (HydraModel opened = HydraModel.open(model, OpenOptions.DEFAULT)) {
            GenerationOptions options = GenerationOptions.DEFAULT.withIgnoreEnd(true);
            new ChatLoop(console, opened, ChatOptions.DEFAULT, turn -> options, lines, null, false, false).run();
        }
        String told = err.toString(StandardCharsets.UTF_8);
        assertTrue(told.contains("the context is full: /reset begins anew"), told);
    }

    /** Presses Ctrl-C as a line ends: when the terminal's settings are put back. */
    private static final class Impatient extends ExternalTerminal {
        private boolean isPressing;

        Impatient(InputStream typed) throws IOException {
            super("test", "dumb", typed, new ByteArrayOutputStream(), StandardCharsets.UTF_8);
        }

        @Override
        public void setAttributes(Attributes attributes) {
            super.setAttributes(attributes);
            if (isPressing && attributes.getLocalFlag(Attributes.LocalFlag.ICANON)) {
                raise(Signal.INT);
            }
        }
    }

    @Test
    void ctrlCBetweenLinesIsForTheAnswerThatBeginsAndForNoneAfterIt() throws IOException {
        PipedInputStream typed = new PipedInputStream();
        PipedOutputStream keys = new PipedOutputStream(typed);
        Impatient terminal = new Impatient(typed);
        AtomicInteger ended = new AtomicInteger();
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            try (TypedLines lines = new TypedLines(terminal)) {
                keys.write("one\rtwo\r".getBytes(StandardCharsets.UTF_8));
                keys.flush();
                assertEquals("one", lines.next("> "));
                terminal.raise(Terminal.Signal.INT);
                lines.onInterrupt(ended::incrementAndGet);
                assertEquals(1, ended.get(), "what was typed after the line");
                terminal.raise(Terminal.Signal.INT);
                assertEquals(2, ended.get());
                lines.onInterrupt(null);
                terminal.raise(Terminal.Signal.INT);
                assertEquals("two", lines.next("> "));
                lines.onInterrupt(ended::incrementAndGet);
                assertEquals(2, ended.get(), "what was typed before the line");
                lines.onInterrupt(null);

                keys.write("three\r".getBytes(StandardCharsets.UTF_8));
                keys.flush();
                terminal.isPressing = true;
                assertEquals("three", lines.next("> "));
                assertFalse(Thread.currentThread().isInterrupted());
                lines.onInterrupt(ended::incrementAndGet);
                assertEquals(3, ended.get(), "what was typed as the line ended");
            }
        });
    }

    private static void typeUntil(AtomicBoolean isSeen, OutputStream keys, int key) {
        try {
            while (!isSeen.get()) {
                keys.write(key);
                keys.flush();
                Thread.sleep(20);
            }
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void onATerminalLinesAreTypedAndCtrlCIsNoEnd() throws IOException {
        PipedInputStream typed = new PipedInputStream();
        PipedOutputStream keys = new PipedOutputStream(typed);
        Terminal terminal =
                new ExternalTerminal("test", "dumb", typed, new ByteArrayOutputStream(), StandardCharsets.UTF_8);
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            try (TypedLines lines = new TypedLines(terminal)) {
                keys.write("hello!! \u00e4\r".getBytes(StandardCharsets.UTF_8));
                keys.flush();
                assertEquals("hello!! \u00e4", lines.next("> "));
                CountDownLatch interrupted = new CountDownLatch(1);
                lines.onInterrupt(interrupted::countDown);
                terminal.raise(Terminal.Signal.INT);
                interrupted.await();
                lines.onInterrupt(null);
                // Ctrl-C before a line is read is none: it is typed until it is seen.
                AtomicBoolean isSeen = new AtomicBoolean();
                Thread hand = new Thread(() -> typeUntil(isSeen, keys, 3));
                hand.start();
                assertThrows(ChatLines.Interrupted.class, () -> lines.next("> "));
                isSeen.set(true);
                hand.join();
                keys.write(new byte[] {4});
                keys.flush();
                assertNull(lines.next("> "));
            }
        });
        assertFalse(Thread.currentThread().isInterrupted());
    }
}
