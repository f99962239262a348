#!/bin/sh
# Fails unless 20 pieces at 5 cents cost 100 cents.
price=$(sh price.sh 20 5)
if [ "$price" = 100 ]; then
    echo "test: ok"
else
    echo "test: expected 100, got $price"
    exit 1
fi
