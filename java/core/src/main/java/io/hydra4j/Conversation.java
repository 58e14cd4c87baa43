package io.hydra4j;

import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Resources;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Consumer;

/**
 * Messages and answers in turn, with the keys and values of what was computed kept between turns: a turn computes only what is new.
 * Each answer is the one that {@link HydraModel#chat} gives to the same messages, to the bit.
 *
 * <pre>{@code
 * try (Conversation talk = model.conversation(ChatOptions.DEFAULT)) {
 *     talk.add(Message.system("You answer in one sentence."));
 *     System.out.println(talk.send("Why is the sky blue?", GenerationOptions.DEFAULT).text());
 *     System.out.println(talk.send("And at sunset?", GenerationOptions.DEFAULT).text());
 * }
 * }</pre>
 *
 * <p>A prompt is always made of all messages, by template and tokenizer. What of it is the same as what was computed before is
 * reused, token by token from the start: all but the new message, as a rule; less with templates that leave parts of older answers out.
 *
 * <p>Turns belong to one thread at a time; {@link #close} may be called from any thread. Closing the model closes its
 * conversations.
 */
public final class Conversation implements AutoCloseable {
    private final HydraModel model;
    private final ChatOptions options;

    // All below is guarded by this object's monitor, which is not held while something computes.
    private final List<Message> messages = new ArrayList<>();
    /** Of the turns before, where it is not in use; null where there is none. */
    private Session session;

    private Key key;
    private TokenStream stream;
    private boolean isOpening;
    private boolean isClosed;

    /** What a session was made for: only turns that have all of it in common share one. */
    record Key(
            DraftSource source,
            List<String> draftTexts,
            Tree tree,
            Acceptance acceptance,
            boolean samples,
            OptionalInt logProbabilities) {}

    Conversation(HydraModel model, ChatOptions options) {
        this.model = model;
        this.options = options;
        model.uses().add(this);
    }

    /**
     * Adds a message without asking for an answer: a system message, or a turn from elsewhere.
     *
     * @param message what is added
     * @throws IllegalStateException while an answer is generated, or after {@link #close}
     */
    public synchronized void add(Message message) {
        requireIdle();
        messages.add(OpenOptions.require("message", message, "Message.user(\"...\")"));
    }

    /** {@return the messages and answers so far} A copy. */
    public synchronized List<Message> messages() {
        return List.copyOf(messages);
    }

    /**
     * Forgets all messages. What was computed of them is still reused where the next ones begin alike.
     *
     * @throws IllegalStateException while an answer is generated, or after {@link #close}
     */
    public synchronized void clear() {
        requireIdle();
        messages.clear();
    }

    /**
     * As {@link #send(Message, GenerationOptions, Consumer)}, with a message of the user's.
     *
     * @param text what the user says
     * @param generation how to generate
     * @return the answer and what was measured
     */
    public GenerationResult send(String text, GenerationOptions generation) {
        return send(Message.user(text), generation, chunk -> {});
    }

    /**
     * Adds a message and the model's answer to it.
     *
     * @param message the message
     * @param generation how to generate
     * @param listener gets a chunk for each step, in the calling thread
     * @return the answer and what was measured
     * @throws ChatTemplateException its nested classes: if there is no template, or it refuses the messages
     * @throws IllegalArgumentException if the conversation is longer than the context, or the options do not fit the model
     * @throws IllegalStateException while an answer is generated, or after {@link #close}
     * @throws ResourceExhaustedException if memory or KV pages are short
     */
    public GenerationResult send(Message message, GenerationOptions generation, Consumer<Chunk> listener) {
        OpenOptions.require("listener", listener, "one, such as chunk -> {}");
        try (TokenStream answer = stream(message, generation)) {
            answer.forEachRemaining(listener);
            return answer.result();
        }
    }

    /**
     * As {@link #send(Message, GenerationOptions, Consumer)}, while its caller asks for chunks. The answer belongs to the conversation
     * when the stream has ended or was closed: what was generated up to then. Where that is nothing, the message is withdrawn, as it is
     * where this fails.
     *
     * @param message the message
     * @param generation how to generate
     * @return the stream, to be closed
     */
    public TokenStream stream(Message message, GenerationOptions generation) {
        OpenOptions.require("generation", generation, "GenerationOptions.DEFAULT");
        List<Message> all;
        synchronized (this) {
            add(message);
            isOpening = true;
            all = messages();
        }
        TokenStream opened = null;
        try {
            opened = new TokenStream(model, model.encode(all, options), generation, this);
        } finally {
            opened(opened);
        }
        return opened;
    }

    /** @param opened null where opening has failed */
    private void opened(TokenStream opened) {
        boolean isLate;
        synchronized (this) {
            isOpening = false;
            stream = opened;
            isLate = isClosed && opened != null;
            if (opened == null) {
                messages.remove(messages.size() - 1);
            }
        }
        if (isLate) {
            opened.close();
        }
    }

    private void requireIdle() {
        if (isClosed) {
            throw new IllegalStateException("the conversation is closed");
        }
        if (stream != null || isOpening) {
            throw new IllegalStateException("an answer is being generated: wait for its end, or close its stream");
        }
    }

    /** The session of the turns before, if it can go on with this one; one that cannot is closed. */
    Session take(Key wanted) {
        Session kept;
        boolean fits;
        synchronized (this) {
            kept = session;
            fits = wanted.equals(key);
            session = null;
            key = null;
        }
        if (kept != null && !fits) {
            kept.close();
        }
        return fits ? kept : null;
    }

    /** A turn has ended, and its session is free. */
    void ended(Key own, Session used, GenerationResult answer) {
        boolean isKept;
        synchronized (this) {
            stream = null;
            if (answer.completionTokens() > 0) {
                messages.add(Message.assistant(answer.text()));
            } else {
                messages.remove(messages.size() - 1);
            }
            isKept = !isClosed;
            if (isKept) {
                session = used;
                key = own;
            }
        }
        if (!isKept) {
            used.close();
        }
    }

    /** Ends the answer that is being generated, if any, and frees what is kept. Idempotent. */
    @Override
    public void close() {
        Resources closing = new Resources();
        synchronized (this) {
            isClosed = true;
            if (session != null) {
                closing.own(session);
            }
            if (stream != null) {
                closing.own(stream);
            }
            session = null;
            key = null;
        }
        model.uses().remove(this);
        closing.close();
    }
}
