/**
 * Training of draft heads for any base model that the library opens, the base frozen. {@link io.hydra4j.train.TrainingOptions} say what is
 * trained and how, beginning from a {@link io.hydra4j.train.Recipe}.
 */
package io.hydra4j.train;
