using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>How the code blocks of a document are carried out.</summary>
public sealed class DocumentBlockTests
{
    private const string Section = """
        In `a/B.cs`, not in `x/Y.cs` but in `a/B.cs`:

        ```diff
         one
        -two
        +2
        @@
         four
        +five
        ```

        1. A new file `c/D.cs`:

           ```csharp
           class D
           {
           }
           ```

        2. Then:

           ```console
           $ ls
           ```
           ```sh
           rm -r e
           ```

        """;

    [Fact]
    public void A_block_belongs_to_the_file_named_last_above_it()
    {
        var blocks = DocumentBlock.Read(Section);
        Assert.Equal([("a/B.cs", "diff"), ("c/D.cs", "csharp"), (null, "sh")],
            blocks.Select(block => (block.Path, block.Language)));
        Assert.Equal("class D\n{\n}\n", blocks[1].Text);
    }

    [Fact]
    public void Each_hunk_of_a_diff_changes_the_place_that_has_its_lines()
    {
        var diff = DocumentBlock.Read(Section)[0];
        Assert.Equal("one\n2\nthree\nfour\nfive\n", TreeCopy.Changed("one\ntwo\nthree\nfour\n", diff));
    }

    [Theory]
    [InlineData("one\nthree\nfour\n", 0)]
    [InlineData("one\ntwo\nfour\none\ntwo\n", 2)]
    public void Lines_of_a_diff_that_are_not_there_once_are_an_error(string text, int times)
    {
        var error = Assert.ThrowsAny<Exception>(() => TreeCopy.Changed(text, DocumentBlock.Read(Section)[0]));
        Assert.StartsWith($"a/B.cs must have these lines once, not {times} times:\none\ntwo", error.Message);
    }
}
