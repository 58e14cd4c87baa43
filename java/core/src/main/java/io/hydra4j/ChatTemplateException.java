package io.hydra4j;

/**
 * Thrown where a chat template does not make a prompt of messages. There is one nested class for each reason. Immutable, so safe
 * to share between threads.
 */
public abstract class ChatTemplateException extends HydraException {
    private static final long serialVersionUID = 1L;

    private ChatTemplateException(String message) {
        super(message);
    }

    /** A model has no chat template, or none of that name. */
    public static final class Missing extends ChatTemplateException {
        private static final long serialVersionUID = 1L;

        /**
         * @param model the model's file or folder
         * @param problem what it does not have
         * @param remedy what the user can do about it
         */
        public Missing(Object model, String problem, String remedy) {
            super(model + ": " + problem + ": " + remedy);
        }
    }

    /** A template does not take these messages, and says why: two of one role in a row, for instance. */
    public static final class Refused extends ChatTemplateException {
        private static final long serialVersionUID = 1L;
        /** The template's words. */
        private final String reason;

        /**
         * @param reason the template's words
         */
        public Refused(String reason) {
            super("the chat template refuses the messages: " + reason);
            this.reason = reason;
        }

        /** {@return the template's own words} */
        public String reason() {
            return reason;
        }
    }

    /** A template needs more than a template may: it loops, calls itself, or writes too much. */
    public static final class TooExpensive extends ChatTemplateException {
        private static final long serialVersionUID = 1L;

        /**
         * @param limit what it has exceeded
         */
        public TooExpensive(String limit) {
            super("the chat template needs more than " + limit + ": use another one");
        }
    }

    /** A template is damaged, uses what is not supported, or does with the messages what cannot be done. */
    public static final class Invalid extends ChatTemplateException {
        private static final long serialVersionUID = 1L;
        /** Counted from 1. */
        private final int line;

        /**
         * @param line of the template, counted from 1
         * @param problem what is wrong there
         */
        public Invalid(int line, String problem) {
            super("the chat template, line " + line + ": " + problem);
            this.line = line;
        }

        /** {@return the line of the template, counted from 1} */
        public int line() {
            return line;
        }
    }
}
