package io.hydra4j.text.jinja;

import io.hydra4j.ChatTemplateException;
import java.util.List;

/**
 * Statements in order.
 *
 * @param statements what is done
 * @param lines where each of them stands
 */
record Body(List<Statement> statements, List<Integer> lines) {
    Statement.Flow execute(Scope scope) {
        for (int i = 0; i < statements.size(); i++) {
            scope.budget().step();
            try {
                Statement.Flow flow = statements.get(i).execute(scope);
                if (flow != Statement.Flow.NEXT) {
                    return flow;
                }
            } catch (Failure e) {
                throw new ChatTemplateException.Invalid(lines.get(i), e.getMessage());
            }
        }
        return Statement.Flow.NEXT;
    }
}
