package io.hydra4j.cli;

import io.hydra4j.ChatOptions;
import io.hydra4j.Chunk;
import io.hydra4j.Conversation;
import io.hydra4j.FinishReason;
import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.Message;
import io.hydra4j.TokenStream;
import io.hydra4j.format.WholeFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntFunction;

/** Reads messages and commands, and shows answers, until there are no more. */
final class ChatLoop {
    private static final String PROMPT = "> ";
    private static final String MORE = ". ";
    /** Begins and ends a message of several lines. */
    private static final String QUOTES = "\"\"\"";

    private static final String HELP =
            """
            A line is a message. One that ends in \\ goes on in the next; lines between %s and %s are one message.
            One that begins with / is a command, unless there is a space before it.
              /system TEXT  begin anew with this system message, or without any
              /reset        begin anew
              /save FILE    write the messages as JSON, for generate --messages
              /stats        show what each answer took, or no more
              /help         this text
              /exit         end; so does Ctrl-D
            Ctrl-C ends an answer.
            """
                    .formatted(QUOTES, QUOTES);

    private final Console console;
    private final Conversation conversation;
    private final ChatLines lines;
    private final IntFunction<GenerationOptions> options;
    private final boolean shaded;
    private String system;
    private boolean showsStatistics;
    private boolean hasFailed;
    private boolean isEnded;
    private int turn;

    /**
     * @param options how the answer of a turn is generated
     * @param system the system message; null for none
     * @param shaded whether answers have shades on a terminal
     * @param showsStatistics whether each answer is followed by what it took
     */
    ChatLoop(
            Console console,
            HydraModel model,
            ChatOptions chat,
            IntFunction<GenerationOptions> options,
            ChatLines lines,
            String system,
            boolean shaded,
            boolean showsStatistics) {
        this.console = console;
        this.lines = lines;
        this.options = options;
        this.shaded = shaded;
        this.showsStatistics = showsStatistics;
        conversation = model.conversation(chat);
        begin(system);
    }

    /** Whether all went well: on a terminal it does, for a person has seen what did not. */
    boolean run() {
        try (conversation) {
            note("/help lists commands, Ctrl-D ends the chat");
            while (!isEnded) {
                try {
                    String message = next();
                    if (message == null) {
                        break;
                    }
                    take(message);
                } catch (ChatLines.Interrupted e) {
                    console.message("/exit or Ctrl-D ends the chat");
                } catch (HydraException | IllegalArgumentException e) {
                    console.message(String.valueOf(e.getMessage()));
                    hasFailed = true;
                }
            }
        }
        return console.inTerminal() || !hasFailed;
    }

    /** A message, which may have several lines; null at the end. */
    private String next() throws ChatLines.Interrupted {
        String line = lines.next(PROMPT);
        if (line != null && line.strip().equals(QUOTES)) {
            return quoted();
        }
        StringBuilder message = new StringBuilder();
        while (line != null && line.endsWith("\\")) {
            message.append(line, 0, line.length() - 1).append('\n');
            line = lines.next(MORE);
        }
        return line == null && message.length() == 0 ? null : message + (line == null ? "" : line);
    }

    private String quoted() throws ChatLines.Interrupted {
        StringBuilder message = new StringBuilder();
        for (String line = lines.next(MORE); line != null && !line.strip().equals(QUOTES); line = lines.next(MORE)) {
            message.append(message.length() == 0 ? "" : "\n").append(line);
        }
        // A space keeps what begins with a slash from being a command.
        return message.length() > 0 && message.charAt(0) == '/' ? " " + message : message.toString();
    }

    private void take(String message) {
        if (message.isBlank()) {
            return;
        }
        if (message.startsWith("/")) {
            command(message.strip());
        } else {
            answer(message);
        }
    }

    private void command(String line) {
        int space = line.indexOf(' ');
        String name = space < 0 ? line : line.substring(0, space);
        String argument = space < 0 ? "" : line.substring(space + 1).strip();
        switch (name) {
            case "/system" -> beginAnew(argument.isEmpty() ? null : argument);
            case "/reset" -> beginAnew(system);
            case "/save" -> save(argument);
            case "/stats" -> {
                showsStatistics = !showsStatistics;
                note(
                        showsStatistics
                                ? "what an answer took is shown after it"
                                : "what an answer took is no longer shown");
            }
            case "/help" -> console.complain(HELP);
            case "/exit", "/quit" -> isEnded = true;
            default -> throw new HydraException(
                    "'" + name + "' is no command: /help lists them; with a space before it, it is a message");
        }
    }

    private void beginAnew(String newSystem) {
        begin(newSystem);
        note("the conversation begins anew, "
                + (system == null ? "without a system message" : "with the system message: " + system));
    }

    /** Tells a person what they have done; who feeds a pipe knows. */
    private void note(String line) {
        if (console.inTerminal()) {
            console.message(line);
        }
    }

    private void begin(String newSystem) {
        system = newSystem;
        conversation.clear();
        if (system != null) {
            conversation.add(Message.system(system));
        }
    }

    private void save(String file) {
        if (file.isEmpty()) {
            throw new HydraException("/save needs the name of a file");
        }
        List<Message> messages = conversation.messages();
        String json = Json.line(false, generator -> {
            generator.writeStartArray();
            for (Message message : messages) {
                generator.writeStartObject();
                generator.writeStringField("role", message.role());
                generator.writeStringField("content", message.content().orElse(""));
                generator.writeEndObject();
            }
            generator.writeEndArray();
        });
        Path target;
        try {
            target = Path.of(file);
        } catch (InvalidPathException e) {
            throw new HydraException(file + ": cannot be written: " + e.getMessage(), e);
        }
        OutputFile.require(target);
        WholeFile.write(target, out -> out.write((json + "\n").getBytes(StandardCharsets.UTF_8)));
        note(file + ": " + messages.size() + " messages");
    }

    private void answer(String message) {
        GenerationOptions own = options.apply(turn++);
        LiveText live = new LiveText(console, shaded);
        try (TokenStream stream = conversation.stream(Message.user(message), own)) {
            lines.onInterrupt(stream::cancel);
            try {
                stream.forEachRemaining(chunk -> show(chunk, live));
            } finally {
                lines.onInterrupt(null);
                end(stream.result(), live, own.maxTokens());
            }
            if (showsStatistics) {
                console.message(Summary.of(stream.result(), own.acceptance()) + reuse(stream.result()));
            }
            // Where no person has typed Ctrl-C, the process has been told to end.
            isEnded |= own.cancelled().getAsBoolean();
        }
    }

    private void show(Chunk chunk, LiveText live) {
        if (console.outTerminal()) {
            live.show(chunk);
        } else {
            console.print(chunk.text());
        }
    }

    private void end(GenerationResult result, LiveText live, int maxTokens) {
        if (!console.outTerminal()) {
            if (!result.text().endsWith("\n")) {
                console.print("\n");
            }
            return;
        }
        FinishReason reason = result.finishReason().orElse(null);
        if (reason == FinishReason.CANCELLED) {
            // The terminal has shown the Ctrl-C.
            console.print("\n");
            console.message("the answer was ended");
            return;
        }
        live.end();
        if (reason == FinishReason.LENGTH) {
            console.message(
                    result.completionTokens() < maxTokens
                            ? "the context is full: /reset begins anew"
                            : "the answer was cut at --max-tokens " + maxTokens);
        }
    }

    private static String reuse(GenerationResult result) {
        return ", prompt of " + result.promptTokens() + " tokens, "
                + result.statistics().promptTokens() + " of them new";
    }
}
