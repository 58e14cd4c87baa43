package io.hydra4j;

import java.nio.file.Path;

/**
 * A model, heads or configuration file that cannot be used. The message is one line, {@code FILE: FIELD: found X, expected
 * Y}, and a remedy where there is one; text that comes from the file is cut to a sane length and freed of control
 * characters. There is one nested class for each kind of fault. Immutable, so safe to share between threads.
 */
public abstract class FormatException extends HydraException {
    private static final long serialVersionUID = 1L;
    private static final int MAX_TEXT = 200;

    private final transient Path file;
    /** Metadata key, tensor name or part of the file. */
    private final String field;
    /** What the file holds there, shortened. */
    private final String found;
    /** What it should hold. */
    private final String expected;

    private FormatException(Path file, String field, Object found, Object expected, String remedy, Throwable cause) {
        super(
                line(file) + ": " + line(field) + ": found " + line(found) + ", expected " + line(expected)
                        + (remedy == null ? "" : "; " + remedy),
                cause);
        this.file = file;
        this.field = line(field);
        this.found = line(found);
        this.expected = line(expected);
    }

    /** {@return the file or folder at fault; null only after Java deserialization} */
    public Path file() {
        return file;
    }

    /** {@return the metadata key, tensor name or part of the file at fault} */
    public String field() {
        return field;
    }

    /** {@return what the file holds there} */
    public String found() {
        return found;
    }

    /** {@return what it should hold} */
    public String expected() {
        return expected;
    }

    private static String line(Object value) {
        var text = String.valueOf(value);
        var line = new StringBuilder(Math.min(text.length(), MAX_TEXT) + 3);
        for (int i = 0; i < text.length(); ) {
            if (line.length() >= MAX_TEXT) {
                return line.append("...").toString();
            }
            int point = text.codePointAt(i);
            line.appendCodePoint(isPrintable(point) ? point : 0xFFFD);
            i += Character.charCount(point);
        }
        return line.toString();
    }

    private static boolean isPrintable(int point) {
        return switch (Character.getType(point)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }

    /** There is no such file, it is not a regular file, or the operating system refuses to read it. */
    public static final class Unreadable extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found what the file holds there
         * @param expected what it should hold
         * @param cause the failure of the operating system, or null
         */
        public Unreadable(Path file, String field, Object found, Object expected, Throwable cause) {
            super(file, field, found, expected, null, cause);
        }

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found what the file holds there
         * @param expected what it should hold
         * @param remedy what the user can do about it
         */
        public Unreadable(Path file, String field, Object found, Object expected, String remedy) {
            super(file, field, found, expected, remedy, null);
        }
    }

    /** The file ends before what its header announces. */
    public static final class Truncated extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found the bytes that are there; {@code expected} says how many are needed
         * @param expected what it should hold
         */
        public Truncated(Path file, String field, Object found, Object expected) {
            super(file, field, found, expected, "the file is incomplete: copy or download it again", null);
        }
    }

    /** A count, length, offset or size is beyond the stated limit of any sane file. */
    public static final class TooLarge extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found the number in the file; {@code expected} states the limit
         * @param expected what it should hold
         */
        public TooLarge(Path file, String field, Object found, Object expected) {
            super(file, field, found, expected, null, null);
        }
    }

    /** The bytes of two tensors overlap. */
    public static final class Overlap extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found where the tensor begins; {@code expected} says where the one before it ends
         * @param expected what it should hold
         */
        public Overlap(Path file, String field, Object found, Object expected) {
            super(file, field, found, expected, null, null);
        }
    }

    /** A key or tensor name occurs twice. */
    public static final class DuplicateKey extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the key that occurs twice
         */
        public DuplicateKey(Path file, String field) {
            super(file, field, "the same name twice", "every name once", null, null);
        }
    }

    /** The file does not begin as a file of its kind does. */
    public static final class WrongMagic extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found what the file holds there
         * @param expected what it should hold
         * @param remedy what the user can do about it, or null
         */
        public WrongMagic(Path file, String field, Object found, Object expected, String remedy) {
            super(file, field, found, expected, remedy, null);
        }
    }

    /** The file has a version of its format that this library does not read. */
    public static final class UnsupportedVersion extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found what the file holds there
         * @param expected what it should hold
         * @param remedy what the user can do about it
         */
        public UnsupportedVersion(Path file, String field, Object found, Object expected, String remedy) {
            super(file, field, found, expected, remedy, null);
        }
    }

    /** A tensor has another shape than the configuration or the format demands. */
    public static final class WrongShape extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the tensor's name
         * @param found what the file holds there
         * @param expected what it should hold
         */
        public WrongShape(Path file, String field, Object found, Object expected) {
            super(file, field, found, expected, null, null);
        }
    }

    /** A key or tensor that is needed is not there. */
    public static final class MissingField extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param expected what should be there
         */
        public MissingField(Path file, String field, Object expected) {
            super(file, field, "nothing", expected, null, null);
        }
    }

    /** The model is of an architecture that this library does not know. */
    public static final class UnknownArchitecture extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found the architecture that the file names
         * @param expected what it should hold
         */
        public UnknownArchitecture(Path file, String field, Object found, Object expected) {
            super(file, field, found, expected, "this version reads no other architecture", null);
        }
    }

    /** A value type, tensor type or feature that this library does not support. */
    public static final class UnsupportedType extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found what the file holds there
         * @param expected what it should hold
         * @param remedy what the user can do about it, or null
         */
        public UnsupportedType(Path file, String field, Object found, Object expected, String remedy) {
            super(file, field, found, expected, remedy, null);
        }
    }

    /** A value is of the wrong kind, out of range, or makes no sense beside the others. */
    public static final class InvalidValue extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found the value; {@code expected} states the kind and the range
         * @param expected what it should hold
         */
        public InvalidValue(Path file, String field, Object found, Object expected) {
            super(file, field, found, expected, null, null);
        }
    }

    /** A text that should be JSON is not, or is nested too deeply. */
    public static final class InvalidJson extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field the metadata key, tensor name or part of the file at fault
         * @param found what the file holds there
         * @param expected what it should hold
         * @param cause the parser's complaint, or null
         */
        public InvalidJson(Path file, String field, Object found, Object expected, Throwable cause) {
            super(file, field, found, expected, null, cause);
        }
    }

    /** Draft heads that were made for another base model. */
    public static final class HeadsMismatch extends FormatException {
        private static final long serialVersionUID = 1L;

        /**
         * @param file the file or folder at fault
         * @param field what differs, such as "hidden size"
         * @param found what the file holds there
         * @param expected what it should hold
         * @param remedy what the user can do about it
         */
        public HeadsMismatch(Path file, String field, Object found, Object expected, String remedy) {
            super(file, field, found, expected, remedy, null);
        }
    }
}
