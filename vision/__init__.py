"""What is known about pictures of faces.

Conventions, everywhere in this project:

- Pictures are RGB uint8 (H, W, 3). Inside models: float32 (N, 3, H, W) in [0, 1]; the conversion
  has one home, `models/tensors.py`.
- Points are (x, y) in pixels, float32 (N, 2); pixel centres lie at integers, so that the picture's
  left edge is at x = -0.5. In the *unit square* of a crop the centre of the first pixel of a row of
  `n` lies at 0.5 / n: pixel = unit * n - 0.5.
- Sizes are (height, width). Boxes are x1, y1, x2, y2.
- Masks are float32 (H, W) in [0, 1]; 1 means the face.
- Matrices are 2x3 float64, named by direction: `frame_to_crop @ (x, y, 1)`.
- Left and right are as seen in the picture.
- Angles are degrees. Yaw is positive when the face turns to the right of the picture, pitch when
  it looks up, roll when the head tilts clockwise as seen.
- Times are exact fractions: PTS times time base. Seconds as floats are for people only.
"""
