using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Domain;
using TaskService.Storage.FileSystem;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

/// <summary>There is no file of a value without its parent, whatever fsync fails.</summary>
public sealed class ReferenceFaultTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private int syncsUntilFailure = int.MaxValue;

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_child_that_may_be_on_the_disk_keeps_its_parent()
    {
        await using var stores = await OpenAsync();
        await stores.AddShelfAsync("s");
        // The file reaches the disk, and it is not known whether its name does.
        syncsUntilFailure = 2;
        await ExpectUnavailableAsync(() => stores.AddBookAsync("b", "s"));
        Assert.True(File.Exists(directory.File("engine/books/b.json")));
        Assert.Equal(ErrorKind.HasChildren, await stores.DeleteShelfAsync("s"));
    }

    [Fact]
    public async Task A_child_that_is_not_on_the_disk_does_not()
    {
        await using var stores = await OpenAsync();
        await stores.AddShelfAsync("s");
        syncsUntilFailure = 1;
        await ExpectUnavailableAsync(() => stores.AddBookAsync("b", "s"));
        Assert.False(File.Exists(directory.File("engine/books/b.json")));
        Assert.Null(await stores.DeleteShelfAsync("s"));
    }

    [Fact]
    public async Task A_parent_that_may_be_gone_from_the_disk_takes_no_children()
    {
        await using var stores = await OpenAsync();
        await stores.AddShelfAsync("s");
        syncsUntilFailure = 1;
        await ExpectUnavailableAsync(() => stores.DeleteShelfAsync("s"));
        await ExpectUnavailableAsync(() => stores.AddBookAsync("b", "s"));
        Assert.Empty(Directory.GetFiles(directory.File("engine/books"), "*.json"));
    }

    private static async Task ExpectUnavailableAsync(Func<Task> change) =>
        Assert.Equal(ErrorKind.StorageUnavailable, (await Assert.ThrowsAsync<StorageException>(change)).Kind);

    private Task<LibraryStores> OpenAsync() => Library.OpenAsync(new FileEngine(
        directory.File("engine"),
        NullLogger<FileEngine>.Instance,
        file =>
        {
            if (--syncsUntilFailure == 0)
            {
                throw new IOException("no fsync");
            }
            Durable.Sync(file);
        }));
}
