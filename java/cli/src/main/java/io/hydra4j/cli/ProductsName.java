package io.hydra4j.cli;

import io.hydra4j.train.Products;

/** The names that kinds of products have on the command line. */
final class ProductsName extends ConstantName<Products> {
    ProductsName() {
        super(Products.class);
    }
}
