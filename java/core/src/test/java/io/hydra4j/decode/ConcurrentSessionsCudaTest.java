package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Original;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Resources;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Sessions of one model that decode in several threads, each on a stream of its own. */
@ExtendWith(Cuda.class)
class ConcurrentSessionsCudaTest {
    private static final int SESSIONS = 3;
    private static final int TOKENS = 3;

    private final Resources owned = new Resources();

    private DraftHeads open() {
        Backend backend = owned.own(Backend.openCuda(0));
        ModelFiles files = ModelFiles.open(Original.base());
        DecoderModel base = owned.own(DecoderModel.load(backend, files, null, fraction -> {}));
        var heads = HeadsFiles.open(Original.heads("hydra-plus-plus"), files.config());
        return owned.own(DraftHeads.load(base, heads, null, 0, fraction -> {}));
    }

    private static int[] decode(DraftHeads heads, Tree tree, int first) {
        try (Session session = Sessions.session(heads.base(), heads, SessionOptions.of(tree))) {
            session.prefill(256, first, first + 1, first + 2);
            int prompt = session.length();
            while (session.length() < prompt + TOKENS) {
                session.step();
            }
            return Arrays.copyOfRange(session.tokens(), prompt, prompt + TOKENS);
        }
    }

    @Test
    void eachEmitsWhatItEmitsAlone() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(SESSIONS);
        try (owned) {
            DraftHeads heads = open();
            List<Future<int[]>> together = new ArrayList<>();
            for (int i = 0; i < SESSIONS; i++) {
                int first = 'a' + i;
                together.add(threads.submit(() -> decode(heads, Tree.chain(3), first)));
            }
            for (int i = 0; i < SESSIONS; i++) {
                int[] tokens = together.get(i).get();
                assertArrayEquals(decode(heads, Tree.chain(0), 'a' + i), tokens);
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
