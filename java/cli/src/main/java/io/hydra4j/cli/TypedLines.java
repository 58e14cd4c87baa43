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

    TypedLines(Terminal terminal) {
        this.terminal = terminal;
        // What is typed is text: an exclamation mark is no event of the history.
        reader = LineReaderBuilder.builder()
                .terminal(terminal)
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .build();
        before = terminal.handle(Signal.INT, SignalHandler.SIG_DFL);
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

    @Override
    public String next(String prompt) throws Interrupted {
        try {
            return reader.readLine(prompt);
        } catch (UserInterruptException e) {
            throw new Interrupted();
        } catch (EndOfFileException e) {
            return null;
        }
    }

    @Override
    public void onInterrupt(Runnable action) {
        terminal.handle(Signal.INT, action == null ? SignalHandler.SIG_DFL : signal -> action.run());
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
