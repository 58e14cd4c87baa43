package io.hydra4j.cli;

import io.hydra4j.FormatException;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.Message;
import io.hydra4j.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The options that give prompts, and what they come to. */
final class Prompts {
    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "PROMPT",
            description = "The text to continue; - or nothing for standard input.")
    private String argument;

    @Option(
            names = "--prompt-file",
            paramLabel = "FILE",
            description = "Read the prompt from a file (- for standard input).")
    private Path textFile;

    @Option(
            names = "--prompt-ids",
            paramLabel = "FILE",
            description = "Read prompts as token ids, one JSON array a line, each line a prompt of its own.")
    private Path idsFile;

    @Option(
            names = "--messages",
            paramLabel = "FILE",
            description =
                    "Answer a conversation: a JSON list of messages, objects with role and content (- for standard"
                            + " input), by the model's chat template.")
    private Path messagesFile;

    @Option(
            names = "--chat",
            description = "Answer the prompt as a message of a user's, by the model's chat template. Special tokens in"
                    + " messages are text.")
    private boolean isMessage;

    @Mixin
    private ChatArguments chat;

    @Option(
            names = "--bos",
            negatable = true,
            description =
                    "Begin text prompts with the model's begin token, or with none of the tokens that the tokenizer "
                            + "adds. Without this, what the tokenizer says.")
    private Boolean begin;

    private String text;
    private List<TokenIds.Line> lines;
    private List<Message> messages;

    /**
     * Reads what the options name.
     *
     * @throws UsageException if they name nothing, or several things
     * @throws HydraException if it cannot be read or is no prompt
     */
    void read(Console console) {
        int given = (argument != null ? 1 : 0)
                + (textFile != null ? 1 : 0)
                + (idsFile != null ? 1 : 0)
                + (messagesFile != null ? 1 : 0);
        if (given > 1) {
            throw new UsageException(
                    "several prompts: give only one of PROMPT, --prompt-file, --prompt-ids and --messages");
        }
        checkChat();
        if (messagesFile != null) {
            messages = MessagesFile.read(messagesFile, console);
        } else if (idsFile != null) {
            lines = TokenIds.parse(idsFile, TextSource.read(idsFile, console));
        } else if (textFile != null) {
            text = TextSource.read(textFile, console);
        } else if (argument != null && !argument.equals(TextSource.STANDARD_INPUT)) {
            text = TextSource.argument(argument);
        } else if (argument == null && console.inTerminal()) {
            throw new UsageException("no prompt: give one as an argument, in a file, or on standard input");
        } else {
            text = TextSource.readInput(console);
        }
        if (isMessage && messages == null) {
            messages = List.of(Message.user(text));
        }
    }

    /** @throws UsageException if there are messages, and no chat template for them */
    void requireTemplate(ModelArguments model) {
        if (messages != null) {
            model.requireTemplate(chat);
        }
    }

    private void checkChat() {
        boolean isChat = isMessage || messagesFile != null;
        if (isMessage && idsFile != null) {
            throw new UsageException("--chat with --prompt-ids, which are no message: leave out one of them");
        }
        if (isChat && begin != null) {
            throw new UsageException("--bos with " + (isMessage ? "--chat" : "--messages")
                    + ", whose template says how a prompt begins: leave out --bos");
        }
        if (!isChat && chat.given() != null) {
            throw new UsageException(chat.given() + " without --chat or --messages: give one of them");
        }
    }

    /**
     * The token ids of every prompt, {@code [prompt][token]}.
     *
     * @throws HydraException if the model cannot take them
     */
    List<int[]> encode(HydraModel model, Console console) {
        if (messages != null) {
            Map<String, String> tokens = model.chatTemplates().specialTokens();
            return List.of(model.encode(messages, chat.options(console, tokens)));
        }
        if (lines == null) {
            return List.of(encodeText(model));
        }
        List<int[]> all = new ArrayList<>();
        int vocabulary = model.info().vocabulary();
        for (TokenIds.Line line : lines) {
            for (int id : line.ids()) {
                if (id >= vocabulary) {
                    throw new FormatException.InvalidValue(
                            idsFile, line.field(), id, "token ids from 0 to " + (vocabulary - 1));
                }
            }
            all.add(line.ids());
        }
        return all;
    }

    private int[] encodeText(HydraModel model) {
        Tokenizer tokenizer = model.tokenizer()
                .orElseThrow(() -> NoTokenizer.in(model.info().path(), "give token ids with --prompt-ids"));
        int[] ids = tokenizer.encode(text, begin == null || begin);
        if (begin == null || !begin) {
            return ids;
        }
        int bos = model.info().bosId().orElse(-1);
        if (bos < 0) {
            throw new HydraException(model.info().path() + " names no begin token: leave out --bos");
        }
        return ids.length > 0 && ids[0] == bos
                ? ids
                : IntStream.concat(IntStream.of(bos), IntStream.of(ids)).toArray();
    }
}
