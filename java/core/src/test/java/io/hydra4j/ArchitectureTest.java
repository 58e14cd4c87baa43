package io.hydra4j;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/**
 * Arrows run downwards only: other modules, the root, tuning, decode and heads, draft and model, then text, which knows format, and
 * the runtime, which knows neither.
 */
@AnalyzeClasses(packages = "io.hydra4j", importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String ROOT = "io.hydra4j";
    private static final String CLI = "io.hydra4j.cli..";
    private static final String SERVE = "io.hydra4j.serve..";
    private static final String TRAIN = "io.hydra4j.train..";
    private static final String TUNING = "io.hydra4j.tuning..";
    private static final String DECODE = "io.hydra4j.decode..";
    private static final String DRAFT = "io.hydra4j.draft..";
    private static final String HEADS = "io.hydra4j.heads..";
    private static final String MODEL = "io.hydra4j.model..";
    private static final String FORMAT = "io.hydra4j.format..";
    private static final String TEXT = "io.hydra4j.text..";
    private static final String RUNTIME = "io.hydra4j.runtime..";

    @ArchTest
    static final ArchRule nothingBelowTheRootKnowsMoreOfItThanItsExceptions = noClasses()
            .that()
            .resideInAnyPackage(TUNING, DECODE, HEADS, DRAFT, MODEL, FORMAT, TEXT, RUNTIME)
            .should()
            .dependOnClassesThat(resideInAPackage(ROOT).and(not(assignableTo(HydraException.class))));

    @ArchTest
    static final ArchRule nothingKnowsWhatStandsAtTheTop = noClasses()
            .that()
            .resideInAnyPackage(ROOT, TUNING, DECODE, HEADS, DRAFT, MODEL, FORMAT, TEXT, RUNTIME)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(CLI, SERVE, TRAIN);

    @ArchTest
    static final ArchRule theLoopDoesNotKnowHowItIsTuned = noClasses()
            .that()
            .resideInAPackage(DECODE)
            .should()
            .dependOnClassesThat()
            .resideInAPackage(TUNING);

    @ArchTest
    static final ArchRule theLoopKnowsNoDrafterButTheInterface = noClasses()
            .that()
            .resideInAPackage(DECODE)
            .should()
            .dependOnClassesThat()
            .resideInAPackage(HEADS);

    @ArchTest
    static final ArchRule whatDraftersAreKnowsOnlyTheRuntime = noClasses()
            .that()
            .resideInAPackage(DRAFT)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(TUNING, DECODE, HEADS, MODEL, FORMAT, TEXT);

    @ArchTest
    static final ArchRule headsDoNotKnowTheLoop = noClasses()
            .that()
            .resideInAPackage(HEADS)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(DECODE, TUNING);

    @ArchTest
    static final ArchRule modelsKnowNeitherHeadsNorTheLoop = noClasses()
            .that()
            .resideInAPackage(MODEL)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(TUNING, DECODE, HEADS, DRAFT);

    @ArchTest
    static final ArchRule formatsKnowNoneOfOurOtherPackages = noClasses()
            .that()
            .resideInAPackage(FORMAT)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(TUNING, DECODE, HEADS, DRAFT, MODEL, TEXT, RUNTIME);

    @ArchTest
    static final ArchRule textKnowsOnlyFormats = noClasses()
            .that()
            .resideInAPackage(TEXT)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(TUNING, DECODE, HEADS, DRAFT, MODEL, RUNTIME);

    @ArchTest
    static final ArchRule theRuntimeKnowsNoneOfOurOtherPackages = noClasses()
            .that()
            .resideInAPackage(RUNTIME)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(TUNING, DECODE, HEADS, DRAFT, MODEL, FORMAT, TEXT);

    @ArchTest
    static final ArchRule onlyTheRuntimeTouchesTheGeneratedBindings = noClasses()
            .that()
            .resideOutsideOfPackage(RUNTIME)
            .should()
            .dependOnClassesThat(resideInAnyPackage("io.hydra4j.runtime.bindings..", "org.bytedeco.."));

    @ArchTest
    static final ArchRule onlyTextTouchesTheTokenizersLibrary = noClasses()
            .that()
            .resideOutsideOfPackage(TEXT)
            .should()
            .dependOnClassesThat()
            .resideInAPackage("ai.djl..");

    @ArchTest
    static final ArchRule packagesDoNotDependOnEachOtherInCircles =
            slices().matching("io.hydra4j.(*)..").should().beFreeOfCycles();
}
