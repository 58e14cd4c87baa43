package io.hydra4j.cli;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.Terminal.SignalHandler;
import org.jline.terminal.TerminalBuilder;

/** Lines that a person types, with editing and a history of this chat. */
final class TypedLines implements ChatLines {
    private final Terminal terminal;
    private final LineReader reader;
    private final SignalHandler before;

    // Both are guarded by this object's monitor.
    private Runnable action;
    private boolean isWaiting;

    TypedLines(Terminal terminal) {
        this.terminal = terminal;
        // What is typed is text: an exclamation mark is no event of the history.
        reader = LineReaderBuilder.builder()
                .terminal(terminal)
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .build();
        // The reader has a handler of its own while a line is typed. Between lines Ctrl-C must not end the program.
        before = terminal.handle(Signal.INT, signal -> interrupt());
    }

    /** On the terminal of this process. */
    static TypedLines ofProcess() {
        try {
            return new TypedLines(
                    TerminalBuilder.builder().encoding(StandardCharsets.UTF_8).build());
        } catch (IOException e) {
            throw new HydraException("the terminal cannot be used: " + e.getMessage(), e);
        }
    }

    private synchronized void interrupt() {
        isWaiting = action == null;
        if (action != null) {
            action.run();
        }
    }

    private synchronized void forget() {
        isWaiting = false;
    }

    @Override
    public String next(String prompt) throws Interrupted {
        // Typed before the prompt, Ctrl-C was for what has ended.
        forget();
        try {
            return reader.readLine(prompt);
        } catch (UserInterruptException e) {
            throw new Interrupted();
        } catch (EndOfFileException e) {
            return null;
        } finally {
            // Typed after the line, it is for what the line begins; the thread's flag would make files fail.
            if (Thread.interrupted()) {
                interrupt();
            }
        }
    }

    @Override
    public synchronized void onInterrupt(Runnable next) {
        action = next;
        if (action != null && isWaiting) {
            isWaiting = false;
            action.run();
        }
    }

    @Override
    public void close() {
        terminal.handle(Signal.INT, before);
        try {
            terminal.close();
        } catch (IOException e) {
            // the terminal has gone
        }
    }
}
