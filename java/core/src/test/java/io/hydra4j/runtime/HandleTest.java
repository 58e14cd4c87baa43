package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_backend;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class HandleTest {
    private final List<String> destroyed = new ArrayList<>();

    @BeforeAll
    static void load() {
        NativeLibrary.load();
    }

    private Handle<Pointer> handle(String what, Handle<?>... parents) {
        return Handle.create(
                what, new Memory(1, 1), out -> Native.HYDRA_OK, out -> destroyed.add(what), List.of(parents));
    }

    private static int failingCall(int threads) {
        return Native.hydra_backend_open_cpu(threads, "auto", new hydra_backend());
    }

    @Test
    void aChildIsDestroyedBeforeItsParentInWhateverOrderTheyAreClosed() {
        Handle<Pointer> parent = handle("parent");
        Handle<Pointer> child = handle("child", parent);
        parent.close();
        child.close();
        assertEquals(List.of("child", "parent"), destroyed);
    }

    @Test
    void aCreationThatFailsLeavesItsParentsAsTheyWere() {
        Handle<Pointer> open = handle("open");
        Handle<Pointer> closed = handle("closed");
        closed.close();
        assertThrows(IllegalStateException.class, () -> handle("child", open, closed));
        assertThrows(
                NativeException.class,
                () -> Handle.create(
                        "child",
                        new Memory(1, 1),
                        out -> failingCall(-5),
                        out -> destroyed.add("child"),
                        List.of(open)));
        open.close();
        assertEquals(List.of("closed", "open"), destroyed);
    }

    @Test
    void whatDestructionDoesToTheKeptMessageIsNotReportedAsTheFailure() {
        Handle<Pointer> handle =
                Handle.create("thing", new Memory(1, 1), out -> Native.HYDRA_OK, out -> failingCall(-2), List.of());
        NativeException failure = assertThrows(
                NativeException.class,
                () -> handle.check(pointer -> {
                    handle.close();
                    return failingCall(-1);
                }));
        assertTrue(failure.getMessage().contains("-1"), failure.getMessage());
    }
}
