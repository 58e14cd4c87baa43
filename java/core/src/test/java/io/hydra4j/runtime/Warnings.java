package io.hydra4j.runtime;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** What the runtime logs until this is closed; nothing of it is printed. */
public final class Warnings extends Handler implements AutoCloseable {
    private static final Logger LOGGER = Logger.getLogger("io.hydra4j.runtime");

    private final List<String> messages = new CopyOnWriteArrayList<>();

    public Warnings() {
        LOGGER.addHandler(this);
        LOGGER.setUseParentHandlers(false);
    }

    @Override
    public void publish(LogRecord record) {
        messages.add(record.getMessage());
    }

    /** Collects garbage until a message begins so. */
    public void await(String beginning) throws InterruptedException {
        while (messages.stream().noneMatch(message -> message.startsWith(beginning))) {
            System.gc();
            Thread.sleep(10);
        }
    }

    /** How many messages contain this; other tests may have lost things, too. */
    public long count(String part) {
        return messages.stream().filter(message -> message.contains(part)).count();
    }

    @Override
    public String toString() {
        return messages.toString();
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
        LOGGER.removeHandler(this);
        LOGGER.setUseParentHandlers(true);
    }
}
