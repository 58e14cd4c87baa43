/**
 * What guesses the next tokens: a {@link io.hydra4j.draft.Drafter} of one's own is implemented here, on the host with {@link
 * io.hydra4j.draft.HostDraft} or in recorded programs with {@link io.hydra4j.draft.Draft}, and given to {@link
 * io.hydra4j.HydraModel#session(io.hydra4j.decode.SessionOptions, io.hydra4j.draft.Drafter)}.
 */
package io.hydra4j.draft;
