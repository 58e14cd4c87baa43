package io.hydra4j.train;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.text.ChatTemplate;
import io.hydra4j.text.ChatTemplates;
import io.hydra4j.text.EncodeOptions;
import io.hydra4j.text.PromptText;
import io.hydra4j.text.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Makes tokens of conversations as the model's chat template has it. The loss counts what the assistant says, up to what the template puts
 * after it. Immutable.
 */
final class ChatRendering {
    /** What users have typed becomes no special token; templates have the tokens that begin a text. */
    private static final EncodeOptions ENCODING = EncodeOptions.PROMPT.withBeginAndEnd(false);

    private static final String ASSISTANT = "assistant";

    private final ChatTemplate template;
    private final Tokenizer tokenizer;

    /** @throws ChatTemplateException if the model has no chat template, or a damaged one */
    ChatRendering(ChatTemplates templates, Tokenizer tokenizer) {
        template = templates.get(ChatTemplates.DEFAULT);
        this.tokenizer = tokenizer;
    }

    /**
     * The tokens of a conversation, or null where a template shows a turn otherwise once another follows it, so that what the model would
     * have seen is not a beginning of the whole: what could be learned from that is not what is decoded.
     *
     * @throws TrainingException.InvalidData if the template refuses the conversation
     */
    TokenText encode(Document.Chat chat) {
        // As the Hydra code does: published conversations often begin with an answer whose question is missing.
        List<Map<String, String>> messages = chat.turns().stream()
                .dropWhile(turn -> turn.role().equals(ASSISTANT))
                .map(turn -> Map.of("role", turn.role(), "content", turn.content()))
                .toList();
        try {
            int[] whole = tokens(messages, false);
            boolean[] targets = new boolean[whole.length];
            for (int i = 0; i < messages.size(); i++) {
                if (messages.get(i).get("role").equals(ASSISTANT)) {
                    int[] before = tokens(messages.subList(0, i), true);
                    int[] after = tokens(messages.subList(0, i + 1), false);
                    if (!begins(whole, before) || !begins(whole, after) || before.length > after.length) {
                        return null;
                    }
                    Arrays.fill(targets, before.length, after.length, true);
                }
            }
            return new TokenText(whole, targets);
        } catch (ChatTemplateException e) {
            throw chat.where().invalid("the chat template refuses it: " + e.getMessage());
        }
    }

    private int[] tokens(List<Map<String, String>> messages, boolean asks) {
        PromptText prompt = template.render(messages, asks, Map.of());
        return tokenizer.encode(prompt, ENCODING);
    }

    private static boolean begins(int[] whole, int[] part) {
        return part.length <= whole.length && Arrays.equals(whole, 0, part.length, part, 0, part.length);
    }
}
