package io.hydra4j.consumer;

import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.draft.Drafter;
import io.hydra4j.runtime.Backends;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Continues a prompt by some tokens and says what it ran on. */
public final class Main {
    private Main() {}

    /** @param arguments model, heads, prompt */
    public static void main(String[] arguments) {
        OpenOptions options = OpenOptions.DEFAULT.withHeads(Path.of(arguments[1]));
        try (HydraModel model = HydraModel.open(Path.of(arguments[0]), options)) {
            GenerationResult result = model.generate(arguments[2], GenerationOptions.DEFAULT.withMaxTokens(16));
            System.out.println("text: " + result.text().replace("\n", "\\n"));
            int[] prompt = model.encode(arguments[2]);
            int often = result.ids()[0];
            System.out.println("plain: " + decode(model, prompt, Tree.ROOT, null));
            System.out.println("guessed: " + decode(model, prompt, Tree.chain(3), new SameToken(often)));
        }
        System.out.println("named module: " + HydraModel.class.getModule().isNamed());
        System.out.println(Backends.describe());
    }

    /** The first 32 tokens that follow a prompt. */
    private static List<Integer> decode(HydraModel model, int[] prompt, Tree tree, Drafter drafter) {
        List<Integer> ids = new ArrayList<>();
        try (Session session = model.session(SessionOptions.of(tree), drafter)) {
            session.prefill(prompt);
            while (ids.size() < 32) {
                for (int token : session.step().tokens()) {
                    ids.add(token);
                }
            }
        }
        return ids.subList(0, 32);
    }
}
