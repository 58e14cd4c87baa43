package io.hydra4j;

/** A calibration was made with another model, other draft heads, or on another machine than it is to be used with. */
public final class CalibrationMismatchException extends HydraException {
    private static final long serialVersionUID = 1L;

    /** What differs, such as {@code threads}. */
    private final String fact;
    /** Its value when the calibration was made. */
    private final String calibrated;
    /** Its value here. */
    private final String present;

    CalibrationMismatchException(String fact, String calibrated, String present) {
        super("the calibration does not fit: it was made with " + fact + " " + calibrated + ", here it is " + present
                + ": make one here, or leave it out");
        this.fact = fact;
        this.calibrated = calibrated;
        this.present = present;
    }

    /** {@return what differs, such as {@code threads}} */
    public String fact() {
        return fact;
    }

    /** {@return what it was when the calibration was made} */
    public String calibrated() {
        return calibrated;
    }

    /** {@return what it is here} */
    public String present() {
        return present;
    }
}
