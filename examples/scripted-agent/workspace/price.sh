#!/bin/sh
# price.sh AMOUNT RATE: the price in cents.
amount=$1 rate=$2
echo $((amount + rate))
