"""From a challenge's k-space files to T1 maps and labelled cases."""
